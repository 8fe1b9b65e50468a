/** The one Socket.IO connection: its state, updates in batches of one frame, and jobs that are followed. */
import { batch, computed, effect, signal } from '@preact/signals'
import { io, type Socket } from 'socket.io-client'
import type { Job, JobEvent } from '../api/types'
import { accessToken, isOperator, renewTokens, session } from './session'

export type Connection = 'connecting' | 'live' | 'lost' | 'refused'
type Listener = (events: JobEvent[]) => void

/** Who follows a job: its events in order, or its state when events are missing. */
export interface Follower {
  onEvents(events: JobEvent[]): void
  onReset(job: Job | null): void
}

interface Followed {
  place: { epoch: string; after_seq: number } | null
  pending: JobEvent[]
  followers: Set<Follower>
}

export const connection = signal<Connection>('connecting')
/** Raised when updates may have been missed: read lists again. */
export const resyncs = signal(0)
/** Updates that came in so far. */
export const received = signal(0)

const listeners = new Set<Listener>()
const followed = new Map<string, Followed>()
const HIDDEN_INTERVAL = 250
let pending: JobEvent[] = []
let isScheduled = false
let socket: Socket | null = null
let hearsTenant = false

/** Hear the updates that came since the last frame; of the whole tenant for operators. Returns how to stop. */
export function onUpdates(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Follow one job from its beginning, over lost connections. Returns how to stop. */
export function follow(jobId: string, follower: Follower): () => void {
  let entry = followed.get(jobId)
  if (!entry) {
    entry = { place: null, pending: [], followers: new Set() }
    followed.set(jobId, entry)
    if (socket?.connected) void subscribe(jobId)
  }
  entry.followers.add(follower)
  return () => {
    entry.followers.delete(follower)
    if (entry.followers.size || followed.get(jobId) !== entry) return
    followed.delete(jobId)
    socket?.emit('job:unsubscribe', { job_id: jobId }, () => undefined)
  }
}

/** Connect while somebody is signed in. */
export function startLive(): void {
  const isIn = computed(() => session.value.state === 'in')
  effect(() => {
    socket?.disconnect()
    socket = isIn.value ? connect() : null
    if (!isIn.value) connection.value = 'connecting'
  })
}

function connect(): Socket {
  const opened = io({
    transports: ['websocket'],
    auth: (give) => {
      const token = accessToken()
      give(token === null ? {} : { token })
    },
    reconnectionDelay: 500,
    reconnectionDelayMax: 5000,
  })
  opened.on('connect', () => void onConnect(opened))
  opened.on('disconnect', (reason) => {
    connection.value = 'lost'
    if (reason === 'io server disconnect') setTimeout(() => opened.connect(), 1000)
  })
  opened.on('connect_error', (error) => void onRefused(opened, error.message))
  opened.on('server:disconnect', ({ code }) => {
    if (code === 'unauthorized') void renewTokens(accessToken())
  })
  opened.on('job:update', (event: JobEvent) => hearsTenant || put(event))
  opened.on('tenant:update', put)
  opened.on('job:resync', () => (resyncs.value += 1))
  opened.on('job:event', onJobEvent)
  opened.on('job:reset', ({ job_id, epoch, seq, snapshot }) => onReset(job_id, epoch, seq, snapshot))
  return opened
}

async function onConnect(opened: Socket): Promise<void> {
  connection.value = 'live'
  hearsTenant = isOperator() && (await opened.emitWithAck('tenant:subscribe')).ok === true
  resyncs.value += 1 // updates are not replayed
  for (const jobId of followed.keys()) void subscribe(jobId)
}

async function onRefused(opened: Socket, message: string): Promise<void> {
  if (opened.active) {
    connection.value = 'lost'
    return
  }
  // The server refused; Socket.IO does not try again by itself.
  connection.value = 'refused'
  if (message === 'unauthorized') await renewTokens(accessToken())
  setTimeout(() => socket === opened && opened.connect(), 3000)
}

async function subscribe(jobId: string): Promise<void> {
  const entry = followed.get(jobId)
  if (!entry || !socket) return
  const answer = await socket.emitWithAck('job:subscribe', { job_id: jobId, ...entry.place }).catch(() => null)
  if (!answer?.ok || followed.get(jobId) !== entry) return
  if (!answer.recovered) onReset(jobId, answer.epoch, answer.seq, answer.snapshot ?? null)
}

function onReset(jobId: string, epoch: string, seq: number, snapshot: Job | null): void {
  const entry = followed.get(jobId)
  if (!entry) return
  entry.place = { epoch, after_seq: seq }
  entry.pending = entry.pending.filter((event) => event.epoch === epoch && event.seq > seq)
  for (const follower of entry.followers) follower.onReset(snapshot)
}

function onJobEvent(event: JobEvent): void {
  const entry = followed.get(event.job_id)
  if (!entry) return
  entry.place = { epoch: event.epoch, after_seq: event.seq }
  entry.pending.push(event)
  schedule()
}

function put(event: JobEvent): void {
  pending.push(event)
  schedule()
}

/** However much comes, the page is drawn once a frame; hidden pages get no frames. */
function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  if (document.hidden) setTimeout(flush, HIDDEN_INTERVAL)
  else requestAnimationFrame(flush)
}

function flush(): void {
  isScheduled = false
  const events = pending
  pending = []
  batch(() => {
    if (events.length) {
      received.value += events.length
      for (const listener of listeners) listener(events)
    }
    for (const entry of followed.values()) {
      const own = entry.pending
      if (!own.length) continue
      entry.pending = []
      for (const follower of entry.followers) follower.onEvents(own)
    }
  })
}
