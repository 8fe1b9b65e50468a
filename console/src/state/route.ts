/** Where the reader is: the path below /console and its query. */
import { signal } from '@preact/signals'

export const BASE = '/console'

export interface Route {
  parts: string[]
  query: URLSearchParams
}

export const route = signal<Route>(read())

/** Go to a path below the console, like `/jobs?status=failed`. */
export function go(path: string, { replace = false } = {}): void {
  const target = `${BASE}${path}`
  if (target === location.pathname + location.search) return
  history[replace ? 'replaceState' : 'pushState'](null, '', target)
  const before = route.value.parts.join('/')
  route.value = read()
  if (before !== route.value.parts.join('/')) scrollTo(0, 0)
}

/** Let links inside the console change the view without loading the page anew. */
export function startRouting(): void {
  addEventListener('popstate', () => (route.value = read()))
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a')
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return
    if (link.target || link.origin !== location.origin || !link.pathname.startsWith(`${BASE}/`)) return
    event.preventDefault()
    go(link.pathname.slice(BASE.length) + link.search)
  })
}

/** The same place with another query. */
export function goQuery(changes: Record<string, string | null>): void {
  const query = new URLSearchParams(route.value.query)
  for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name)
  const text = query.toString()
  go(`/${route.value.parts.join('/')}${text && `?${text}`}`, { replace: true })
}

function read(): Route {
  const path = location.pathname.slice(BASE.length)
  return { parts: path.split('/').filter(Boolean), query: new URLSearchParams(location.search) }
}
