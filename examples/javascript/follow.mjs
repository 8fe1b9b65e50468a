// Asks the language model and prints its answer while it is written: node follow.mjs "Why is the sky blue?"
// LETUIN_URL says where the api is, LETUIN_TOKEN who asks.
import { io } from "socket.io-client";

const url = process.env.LETUIN_URL ?? "http://127.0.0.1:8000";
const token = process.env.LETUIN_TOKEN;
const messages = [
  { role: "system", content: "You are a helpful assistant. Answer in two short, plain sentences." },
  { role: "user", content: process.argv[2] },
];

const response = await fetch(`${url}/api/v1/jobs`, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
  body: JSON.stringify({ kind: "llm.chat", payload: { messages, temperature: 0 } }),
});
if (!response.ok) throw new Error(await response.text());
const seen = { job_id: (await response.json()).id, after_seq: 0 }; // the place in the job's numbered log

const socket = io(url, { auth: token ? { token } : {}, transports: ["websocket"] });

// At every connection, also after a lost one: go on behind the last event that was seen.
socket.on("connect", async () => {
  const answer = await socket.timeout(5000).emitWithAck("job:subscribe", seen);
  if (!answer.ok) end(answer.error.message, 1);
});

socket.on("job:event", (event) => {
  Object.assign(seen, { after_seq: event.seq, epoch: event.epoch });
  if (event.type === "llm.delta") process.stdout.write(event.data.text);
  else if (event.type === "llm.reset") console.log("\n(another attempt starts the answer again)");
  else if (/^job\.(succeeded|failed|cancelled|expired)$/.test(event.type)) end(`\n${event.type} (event ${event.seq})`, 0);
});

// Numbers up to this one are gone; reset.snapshot is the job as it is now.
socket.on("job:reset", (reset) => Object.assign(seen, { after_seq: reset.seq, epoch: reset.epoch }));
socket.on("connect_error", (error) => socket.active || end(error.message, 1)); // refused, not merely unreachable

function end(text, code) {
  console.log(text);
  process.exitCode = code;
  socket.disconnect();
}
