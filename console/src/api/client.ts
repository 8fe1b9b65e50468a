/** Calls of the public interface: token, errors as problems, one repeat after a refreshed token. */
import { accessToken, renewTokens, signOut } from '../state/session'
import type { FieldProblem } from './types'

export type Query = Record<string, string | number | boolean | string[] | null | undefined>

export interface CallOptions {
  query?: Query
  body?: unknown
  form?: FormData
  signal?: AbortSignal
}

/** What the api refused, in its own words. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly requestId: string | null,
    readonly errors: FieldProblem[],
  ) {
    super(detail)
  }
}

export const PREFIX = '/api/v1'

/** Ask `METHOD path` below /api/v1. Throws `Problem`, also when nothing could be reached. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const asked = accessToken()
  let answer = await send(method, path, options, asked)
  if (answer.status === 401 && asked !== null) {
    if (await renewTokens(asked)) answer = await send(method, path, options, accessToken())
    if (answer.status === 401) await signOut('expired')
  }
  if (!answer.ok) throw await problemOf(answer)
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  call<T>('GET', path, { query, signal })
export const post = <T>(path: string, body?: unknown): Promise<T> => call<T>('POST', path, { body })

/** Send a form with files; `onProgress` hears which part of it has left, 0 to 1. Throws `Problem`. */
export async function upload<T>(path: string, form: FormData, onProgress: (part: number) => void): Promise<T> {
  const asked = accessToken()
  let answer = await sendForm(path, form, asked, onProgress)
  if (answer.status === 401 && asked !== null && (await renewTokens(asked))) answer = await sendForm(path, form, accessToken(), onProgress)
  if (!answer.ok) throw await problemOf(answer)
  return (await answer.json()) as T
}

/** Only this old interface tells how much of a body has left. */
function sendForm(path: string, form: FormData, token: string | null, onProgress: (part: number) => void): Promise<Response> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('POST', `${PREFIX}${path}`)
    request.setRequestHeader('Accept', 'application/json')
    if (token !== null) request.setRequestHeader('Authorization', `Bearer ${token}`)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0)
    request.onload = () => {
      const requestId = request.getResponseHeader('x-request-id')
      done(new Response(request.responseText, { status: request.status, headers: requestId ? { 'x-request-id': requestId } : {} }))
    }
    request.onerror = () => fail(new Problem(0, 'unreachable', 'The server cannot be reached.', null, []))
    request.send(form)
  })
}

/** Keep a file of the api under `name` on the reader's machine. Throws `Problem`. */
export async function download(path: string, name: string): Promise<void> {
  const answer = await send('GET', path, {}, accessToken())
  if (!answer.ok) throw await problemOf(answer)
  const address = URL.createObjectURL(await answer.blob())
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}

/** One request, without repeats. */
export async function send(
  method: string,
  path: string,
  { query, body, form, signal }: CallOptions,
  token: string | null,
): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (token !== null) headers.Authorization = `Bearer ${token}`
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const sent = form ?? (body === undefined ? undefined : JSON.stringify(body))
  try {
    return await fetch(`${PREFIX}${path}${search(query)}`, { method, headers, body: sent, signal, cache: 'no-store' })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Problem(0, 'unreachable', 'The server cannot be reached.', null, [])
  }
}

export async function problemOf(answer: Response): Promise<Problem> {
  const requestId = answer.headers.get('x-request-id')
  const found = await answer.json().catch(() => null)
  const { code = 'error', detail = answer.statusText, errors = null } = found ?? {}
  return new Problem(answer.status, code, detail, requestId, errors ?? [])
}

function search(query: Query = {}): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? value : [value]
    for (const each of values) if (each !== null && each !== undefined && each !== '') pairs.append(name, String(each))
  }
  const text = pairs.toString()
  return text && `?${text}`
}
