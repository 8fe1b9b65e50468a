/** Data of the interface that a view reads, reads again, and pages through. */
import { useSignal, type Signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { get, Problem, type Query } from '../api/client'
import type { Page } from '../api/types'

export interface Resource<T> {
  data: T | null
  problem: Problem | null
  isLoading: boolean
  reload: () => void
}

/** Read `path` now, when it changes and every `interval` milliseconds while the page is visible; null reads nothing. */
export function useResource<T>(path: string | null, query: Query = {}, interval = 0): Resource<T> {
  const state = useSignal<{ key: string; data: T | null; problem: Problem | null; isLoading: boolean }>({
    key: '', data: null, problem: null, isLoading: true,
  })
  const key = JSON.stringify([path, query])
  const load = useRef<() => void>(() => undefined)

  useEffect(() => {
    if (path === null) return undefined
    const stop = new AbortController()
    load.current = () => {
      get<T>(path, query, stop.signal).then(
        (data) => (state.value = { key, data, problem: null, isLoading: false }),
        (error: Problem) => {
          if (!stop.signal.aborted) state.value = { ...state.value, problem: error, isLoading: false }
        },
      )
    }
    if (state.value.key !== key) state.value = { key, data: null, problem: null, isLoading: true }
    load.current()
    const timer = interval ? setInterval(() => document.hidden || load.current(), interval) : undefined
    return () => {
      stop.abort()
      clearInterval(timer)
    }
  }, [key, interval])

  const { data, problem, isLoading } = state.value
  return { data, problem, isLoading, reload: () => load.current() }
}

export interface PagedResource<T> {
  items: T[]
  problem: Problem | null
  isLoading: boolean
  hasMore: boolean
  more: () => void
  reload: () => void
}

interface Paged<T> {
  items: T[]
  cursor: string | null
  problem: Problem | null
  isLoading: boolean
}

/** A list that is read page by page. */
export function usePages<T>(path: string, query: Query = {}, interval = 0): PagedResource<T> {
  const state: Signal<Paged<T>> = useSignal<Paged<T>>({ items: [], cursor: null, problem: null, isLoading: true })
  const key = JSON.stringify([path, query])
  const stop = useRef(new AbortController())

  const load = (cursor: string | null) => {
    const { signal } = stop.current
    state.value = { ...state.value, isLoading: true }
    get<Page<T>>(path, { ...query, cursor }, signal).then(
      (page) => {
        const items = cursor === null ? page.items : [...state.value.items, ...page.items]
        state.value = { items, cursor: page.next_cursor ?? null, problem: null, isLoading: false }
      },
      (problem: Problem) => {
        if (!signal.aborted) state.value = { ...state.value, problem, isLoading: false }
      },
    )
  }
  useEffect(() => {
    stop.current = new AbortController()
    state.value = { items: [], cursor: null, problem: null, isLoading: true }
    load(null)
    const isFirstPage = () => state.value.items.length <= 50
    const timer = interval ? setInterval(() => document.hidden || (isFirstPage() && load(null)), interval) : undefined
    return () => {
      stop.current.abort()
      clearInterval(timer)
    }
  }, [key, interval])

  const { items, cursor, problem, isLoading } = state.value
  return {
    items, problem, isLoading,
    hasMore: cursor !== null,
    more: () => load(state.value.cursor),
    reload: () => load(null),
  }
}
