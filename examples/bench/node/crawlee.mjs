// Enrols a job's people with Crawlee: each is a request, its page is a context of its own.
import { Configuration, PlaywrightCrawler, log } from '@crawlee/playwright';
import { chromium } from 'playwright';
import { job } from './job.mjs';
import { enrol } from './playwright-flow.mjs';

log.setLevel(log.LEVELS.WARNING);
const failed = [];
const crawler = new PlaywrightCrawler({
  launchContext: {
    launcher: chromium,
    useIncognitoPages: true,
    launchOptions: { executablePath: job.browser, chromiumSandbox: job.sandbox },
  },
  browserPoolOptions: { useFingerprints: false },
  minConcurrency: job.concurrency,
  maxConcurrency: job.concurrency,
  maxRequestRetries: 0,
  useSessionPool: false,
  requestHandler: ({ page, request }) => enrol(page, request.userData),
  failedRequestHandler: ({ request }, error) => failed.push(`${request.uniqueKey}: ${error.message}`),
}, new Configuration({ persistStorage: false }));

await crawler.run(job.tasks.map((task) => ({ url: `${job.url}/register`, uniqueKey: task.username, userData: task })));
if (failed.length > 0) throw new Error(failed.join('\n'));
