// The job that everybody does: render a short text in two languages, POST it, read the answer.
import { Agent, request } from "undici";

const [, , , , sink, connections] = process.argv;
export const dispatcher = new Agent({ connections: Number(connections) || 64, pipelining: 1 });

export function* notices(messages) {
  for (let number = 0; number < messages; number += 1) {
    yield {
      key: `n-${String(number).padStart(8, "0")}`,
      name: "Kari",
      office: "Grønland",
      date: "24. mars kl. 10.20",
      reference: String(number).padStart(6, "0"),
    };
  }
}

export async function tell({ key, name, office, date, reference }) {
  const text =
    `Hei ${name}. Timen din ${date} ved ${office} er avlyst. Ref. ${reference}.\n\n` +
    `Hello ${name}. Your appointment on ${date} at ${office} is cancelled. Ref. ${reference}.`;
  const answer = await request(sink, {
    method: "POST",
    dispatcher,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key, to: "+4740700000", text }),
  });
  const said = await answer.body.json();
  if (answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}`);
  return said;
}
