/** Who is signed in. Access tokens stay in memory, the refresh token or key in this tab's sessionStorage. */
import { signal } from '@preact/signals'
import { call, get, problemOf, send } from '../api/client'
import type { Tokens, User } from '../api/types'
import { needsToken } from './features'

export type Session =
  | { state: 'unknown' }
  | { state: 'out'; reason?: 'expired' | 'unreachable' }
  | { state: 'in'; me: User; by: 'nobody' | 'account' | 'key' }

export const session = signal<Session>({ state: 'unknown' })

const REFRESH = 'letuin.refresh'
const KEY = 'letuin.key'
let access: string | null = null
let renewing: Promise<boolean> | null = null
let timer: ReturnType<typeof setTimeout> | undefined

export const accessToken = (): string | null => access ?? sessionStorage.getItem(KEY)

/** Find out who this is: by what the tab keeps, or without any token where the server is open. */
export async function begin(): Promise<void> {
  if (sessionStorage.getItem(REFRESH) && (await renewTokens(null))) return enter('account')
  if (sessionStorage.getItem(KEY)) return enter('key')
  if (!needsToken) return enter('nobody')
  session.value = { state: 'out' }
}

/** Sign in with an account. Throws `Problem`. */
export async function signIn(email: string, password: string): Promise<void> {
  const answer = await send('POST', '/auth/login', { body: { email, password } }, null)
  if (!answer.ok) throw await problemOf(answer)
  keep((await answer.json()) as Tokens)
  return enter('account')
}

/** Sign in with an API key or the service's token. Throws `Problem`. */
export async function signInWithKey(key: string): Promise<void> {
  const answer = await send('GET', '/users/me', {}, key)
  if (answer.status !== 200 && answer.status !== 403) throw await problemOf(answer)
  sessionStorage.setItem(KEY, key)
  return enter('key')
}

/** Replace the password of who is signed in; the answer's tokens begin a new session. Throws `Problem`. */
export async function changePassword(current: string, next: string): Promise<void> {
  keep(await call<Tokens>('POST', '/auth/password/change', { body: { current_password: current, new_password: next } }))
}

/** Read again who is signed in: a name or an address was changed. */
export async function readMe(): Promise<void> {
  const found = await get<User>('/users/me')
  if (session.value.state === 'in') session.value = { ...session.value, me: found }
}

/** End every session of the account, this one too. Throws `Problem`. */
export async function signOutEverywhere(): Promise<void> {
  await call('POST', '/auth/logout-all')
  forget()
  session.value = { state: 'out' }
}

/** End the session here and at the server. */
export async function signOut(reason?: 'expired'): Promise<void> {
  const token = access
  forget()
  session.value = { state: 'out', reason }
  if (token !== null && reason === undefined) await send('POST', '/auth/logout', {}, token).catch(() => undefined)
}

/** A fresh access token in place of `used`; several callers share one refresh. False when there is none to be had. */
export function renewTokens(used: string | null): Promise<boolean> {
  if (used !== access) return Promise.resolve(true)
  renewing ??= renew().finally(() => (renewing = null))
  return renewing
}

async function renew(): Promise<boolean> {
  const kept = sessionStorage.getItem(REFRESH)
  if (kept === null) return false
  const answer = await send('POST', '/auth/refresh', { body: { refresh_token: kept } }, null).catch(() => null)
  if (!answer?.ok) {
    if (answer?.status === 401) sessionStorage.removeItem(REFRESH)
    return false
  }
  keep((await answer.json()) as Tokens)
  return true
}

function keep(tokens: Tokens): void {
  access = tokens.access_token
  sessionStorage.setItem(REFRESH, tokens.refresh_token)
  clearTimeout(timer)
  const soon = Math.min(tokens.expires_in * 0.8, 12 * 3600)
  timer = setTimeout(() => void renewTokens(access), soon * 1000)
}

function forget(): void {
  access = null
  clearTimeout(timer)
  sessionStorage.removeItem(REFRESH)
  sessionStorage.removeItem(KEY)
}

async function enter(by: 'nobody' | 'account' | 'key'): Promise<void> {
  const answer = await send('GET', '/users/me', {}, accessToken()).catch(() => null)
  if (answer?.ok) {
    session.value = { state: 'in', me: (await answer.json()) as User, by }
  } else if (by === 'key' && answer?.status === 403) {
    session.value = { state: 'in', me: unnamed(), by }
  } else {
    if (answer) forget()
    session.value = { state: 'out', reason: answer ? undefined : 'unreachable' }
  }
}

/** The holder of a key without `users:read`: what it may do shows when it is tried. */
function unnamed(): User {
  const nobody = { id: '', tenant_id: '', email: null, name: 'API key', role: 'user' as const }
  return { ...nobody, is_active: true, is_service: true, created_at: new Date().toISOString() }
}

/** Who is signed in; null when nobody is. */
export const me = (): User | null => (session.value.state === 'in' ? session.value.me : null)
/** Whether who is signed in has a password and sessions. */
export const hasAccount = (): boolean => session.value.state === 'in' && session.value.by === 'account'
const role = () => (session.value.state === 'in' ? session.value.me.role : 'user')
export const isOperator = (): boolean => role() !== 'user'
export const isAdmin = (): boolean => role() === 'admin'
