// Enrols a job's people with Selenium. A WebDriver has one page in view at a
// time, so each slot has a driver and with it a browser of its own; each task
// has a fresh browser context of that browser.
import { Builder, By, until } from 'selenium-webdriver';
import getBrowser from 'selenium-webdriver/bidi/browser.js';
import newBrowsingContext from 'selenium-webdriver/bidi/browsingContext.js';
import { CreateContextParameters } from 'selenium-webdriver/bidi/createContextParameters.js';
import chrome from 'selenium-webdriver/chrome.js';
import { each, job, shown } from './job.mjs';

const options = new chrome.Options().setBinaryPath(job.browser).addArguments('--headless').enableBidi();
if (!job.sandbox) options.addArguments('--no-sandbox');

const drivers = await Promise.all(Array.from({ length: job.concurrency }, () => new Builder()
  .forBrowser('chrome')
  .setChromeOptions(options)
  .setChromeService(new chrome.ServiceBuilder(job.driver))
  .build()));
try {
  await each(async (task, slot) => {
    const driver = drivers[slot];
    const home = await driver.getWindowHandle();
    const browser = await getBrowser(driver);
    const userContext = await browser.createUserContext();
    const tab = await newBrowsingContext(driver, {
      type: 'tab', createParameters: new CreateContextParameters().userContext(userContext),
    });
    await driver.switchTo().window(tab.id);
    await enrol(driver, task);
    await browser.removeUserContext(userContext);
    await driver.switchTo().window(home);
  });
} finally {
  await Promise.all(drivers.map((driver) => driver.quit()));
}

async function enrol(driver, task) {
  const type = async (selector, text) => (await driver.findElement(By.css(selector))).sendKeys(text);
  const click = async (selector) => (await driver.findElement(By.css(selector))).click();

  await driver.get(`${job.url}/register`);
  await type('#username', task.username);
  await type('#email', task.email);
  await type('#full_name', task.full_name);
  await type('#location', task.location);
  await type('#password', task.password);
  await type('#password_repeat', task.password);
  await click('#register button');
  await driver.wait(until.urlContains('/welcome'));

  await driver.get(`${job.url}/settings/profile`);
  await type('#bio', task.bio);
  await type('#website', task.website);
  await type('#signature', task.signature);
  await type('#avatar', task.avatar);
  await click('#profile button');
  await driver.wait(until.elementLocated(By.css('.notice')));

  const link = await driver.findElement(By.css('header a[href^="/u/"]')).getAttribute('href');
  await driver.get(link);
  const bio = await driver.findElement(By.css('.bio')).getText();
  const href = await driver.findElement(By.css(`a[href="${task.website}"]`)).getAttribute('href');
  shown(task, bio, href);
}
