// usage: node pgboss.mjs fill URL MESSAGES | work URL SINK CONNECTIONS
import { PgBoss } from "pg-boss";
import { notices, tell } from "./notice.mjs";

const [, , order, connectionString, more] = process.argv;
const boss = new PgBoss(connectionString);
boss.on("error", (error) => console.error(error));
await boss.start();
if (order === "fill") {
  await boss.createQueue("notice");
  let some = [];
  for (const data of notices(Number(more))) {
    some.push({ data });
    if (some.length === 1000) await boss.insert("notice", some.splice(0));
  }
  if (some.length) await boss.insert("notice", some);
  await boss.stop({ graceful: false });
  process.exit(0);
} else {
  for (let worker = 0; worker < 2; worker += 1) {
    await boss.work(
      "notice",
      { batchSize: 200, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
      (jobs) => Promise.all(jobs.map((job) => tell(job.data))),
    );
  }
}
