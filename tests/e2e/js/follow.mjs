// Follows one job and prints one JSON line for whatever arrives; ends with the job.
// node follow.mjs URL JOB_ID [TOKEN] [AFTER_SEQ EPOCH]
import { io } from "socket.io-client";

const [url, jobId, token, afterSeq, epoch] = process.argv.slice(2);
const print = (name, data) => console.log(JSON.stringify({ name, data }));
const last = { seq: Number(afterSeq ?? 0), epoch };

const socket = io(url, { auth: token ? { token } : {}, transports: ["websocket"], reconnectionDelay: 100 });

socket.on("connect", async () => {
  const request = { job_id: jobId, after_seq: last.seq };
  if (last.epoch) request.epoch = last.epoch;
  const answer = await socket.timeout(5000).emitWithAck("job:subscribe", request);
  print("ack", answer);
  if (!answer.ok) end(1);
});

socket.on("job:event", (event) => {
  last.seq = event.seq;
  last.epoch = event.epoch;
  print("job:event", event);
  if (/^job\.(succeeded|failed|cancelled|expired)$/.test(event.type)) end(0);
});

socket.on("job:reset", (reset) => {
  last.seq = reset.seq;
  last.epoch = reset.epoch;
  print("job:reset", reset);
});

socket.on("connect_error", (error) => {
  print("connect_error", { message: error.message });
  if (!socket.active) end(1);
});

socket.on("disconnect", (reason) => print("disconnect", { reason }));

function end(code) {
  process.exitCode = code;
  socket.off("disconnect");
  socket.disconnect();
}
