// Enrols a job's people with Puppeteer.
import puppeteer from 'puppeteer-core';
import { each, job, shown } from './job.mjs';

const browser = await puppeteer.launch({
  executablePath: job.browser,
  headless: 'shell',
  args: job.sandbox ? [] : ['--no-sandbox'],
});
try {
  await each(async (task) => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await enrol(page, task);
    await context.close();
  });
} finally {
  await browser.close();
}

async function enrol(page, task) {
  await page.goto(`${job.url}/register`);
  await page.locator('#username').fill(task.username);
  await page.locator('#email').fill(task.email);
  await page.locator('#full_name').fill(task.full_name);
  await page.locator('#location').fill(task.location);
  await page.locator('#password').fill(task.password);
  await page.locator('#password_repeat').fill(task.password);
  await Promise.all([page.waitForNavigation(), page.locator('#register button').click()]);

  await page.goto(`${job.url}/settings/profile`);
  await page.locator('#bio').fill(task.bio);
  await page.locator('#website').fill(task.website);
  await page.locator('#signature').fill(task.signature);
  const picture = await page.$('#avatar');
  await picture.uploadFile(task.avatar);
  await Promise.all([page.waitForNavigation(), page.locator('#profile button').click()]);
  await page.waitForSelector('.notice');

  const link = await page.$eval('header a[href^="/u/"]', (a) => a.href);
  await page.goto(link);
  const bio = await page.$eval('.bio', (e) => e.innerText);
  const href = await page.$eval(`a[href="${task.website}"]`, (a) => a.getAttribute('href'));
  shown(task, bio, href);
}
