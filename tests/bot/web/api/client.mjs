// What a program in Node does with the API, by the package `openai`; it prints what it got.
import { createRequire } from "node:module";

const { ADDRESS, KEY } = process.env;
const OpenAI = createRequire(import.meta.url)("openai").default; // `require`, because `import` ignores NODE_PATH
const client = new OpenAI({ baseURL: ADDRESS, apiKey: KEY, maxRetries: 0 });
const ask = { model: "parley", messages: [{ role: "user", content: "Hi" }], user: "ada" };

const whole = await client.chat.completions.create({ ...ask, consent: true });
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
const models = [];
for await (const model of client.models.list()) models.push(model.id);
let error;
try {
  await client.chat.completions.create({ ...ask, model: "gpt-4" });
} catch (refused) {
  error = [refused.status, refused.code];
}
const vote = { completion_id: whole.id, kind: "vote", value: "up", user: "ada" };
const { status: kept } = await client.post("/feedback", { body: vote });
console.log(JSON.stringify({ whole: whole.choices[0].message.content, streamed, models, error, kept }));
