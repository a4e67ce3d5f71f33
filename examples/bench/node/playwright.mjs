// Enrols a job's people with Playwright.
import { chromium } from 'playwright';
import { each, job } from './job.mjs';
import { enrol } from './playwright-flow.mjs';

const browser = await chromium.launch({ executablePath: job.browser, chromiumSandbox: job.sandbox });
try {
  await each(async (task) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await enrol(page, task);
    await context.close();
  });
} finally {
  await browser.close();
}
