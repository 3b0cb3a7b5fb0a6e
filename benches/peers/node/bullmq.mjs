// usage: node bullmq.mjs fill PORT MESSAGES | work PORT SINK CONNECTIONS
import { Queue, Worker } from "bullmq";
import { notices, tell } from "./notice.mjs";

const [, , order, port, more] = process.argv;
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
if (order === "fill") {
  const queue = new Queue("notice", { connection });
  let some = [];
  for (const data of notices(Number(more))) {
    some.push({ name: "notice", data, opts: { removeOnComplete: true } });
    if (some.length === 1000) await queue.addBulk(some.splice(0));
  }
  if (some.length) await queue.addBulk(some);
  await queue.close();
  process.exit(0);
} else {
  new Worker("notice", (job) => tell(job.data), { connection, concurrency: 100 });
}
