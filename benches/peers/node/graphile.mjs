// usage: node graphile.mjs fill URL MESSAGES | work URL SINK CONNECTIONS
import { makeWorkerUtils, run } from "graphile-worker";
import { notices, tell } from "./notice.mjs";

const [, , order, connectionString, more, connections] = process.argv;
if (order === "fill") {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  let some = [];
  for (const payload of notices(Number(more))) {
    some.push({ identifier: "notice", payload });
    if (some.length === 1000) await utils.addJobs(some.splice(0));
  }
  if (some.length) await utils.addJobs(some);
  await utils.release();
} else {
  await run({
    taskList: { notice: (payload) => tell(payload) },
    preset: {
      worker: {
        connectionString,
        concurrentJobs: Number(connections),
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
}
