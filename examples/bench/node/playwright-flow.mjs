// The flow on a Playwright page, for Playwright and for Crawlee.
import { job, shown } from './job.mjs';

export async function enrol(page, task) {
  await page.goto(`${job.url}/register`);
  await page.getByLabel('Username').fill(task.username);
  await page.getByLabel('Email address').fill(task.email);
  await page.getByLabel('Full name').fill(task.full_name);
  await page.getByLabel('Location').fill(task.location);
  await page.getByLabel('Password *', { exact: true }).fill(task.password);
  await page.getByLabel('Repeat password').fill(task.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.waitForURL('**/welcome');

  await page.goto(`${job.url}/settings/profile`);
  await page.getByLabel('Bio').fill(task.bio);
  await page.getByLabel('Website').fill(task.website);
  await page.getByLabel('Signature').fill(task.signature);
  await page.getByLabel('Picture').setInputFiles(task.avatar);
  await page.getByRole('button', { name: 'Save profile' }).click();
  await page.getByRole('status').waitFor();

  const link = await page.locator('header a[href^="/u/"]').getAttribute('href');
  await page.goto(job.url + link);
  const bio = await page.locator('.bio').innerText();
  const href = await page.getByRole('link', { name: task.website }).first().getAttribute('href');
  shown(task, bio, href);
}
