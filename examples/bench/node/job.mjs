// What every program here gets to do: a job on its standard input.
import { text } from 'node:stream/consumers';

export const job = JSON.parse(await text(process.stdin));

// each runs f on every task, job.concurrency at a time; f gets its slot's number too.
export async function each(f) {
  const tasks = job.tasks.values();
  const slot = async (n) => {
    for (const task of tasks) await f(task, n);
  };
  await Promise.all(Array.from({ length: job.concurrency }, (_, n) => slot(n)));
}

// shown fails unless the public page shows the task's bio and backlink.
export function shown(task, bio, href) {
  if (!bio.includes(task.bio)) throw new Error(`${task.username}: the page shows the bio ${JSON.stringify(bio)}`);
  if (href !== task.website) throw new Error(`${task.username}: the page links to ${href}, not to ${task.website}`);
}
