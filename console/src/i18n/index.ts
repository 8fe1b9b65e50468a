/** Texts, times and numbers in the reader's language. Components that call these follow its changes. */
import { signal } from '@preact/signals'
import { language } from '../state/preferences'
import { en } from './en'
import { ko } from './ko'

export type Key = keyof typeof en

/** The text of `key`, with `{name}` replaced. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text: string = (language.value === 'ko' ? ko : en)[key]
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The text of `group.name`, or the name itself where nobody translated it. */
export function tName(group: string, name: string): string {
  const key = `${group}.${name}`
  return key in en ? t(key as Key) : name.replaceAll('_', ' ')
}

/** The time, once a second, for what is told relative to it. */
export const now = signal(Date.now())
setInterval(() => document.hidden || (now.value = Date.now()), 1000)

export const number = (value: number, digits = 0): string =>
  new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value)

/** US dollars. */
export const money = (value: number): string => `$${number(value, 4)}`

/** A moment, exactly. */
export const moment = (text: string): string =>
  new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(text))

export const clock = (text: string): string =>
  new Intl.DateTimeFormat(language.value, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(
    new Date(text),
  )

const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]] as const

/** How long ago, or how soon. */
export function ago(text: string): string {
  const seconds = (new Date(text).getTime() - now.value) / 1000
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3]
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto', style: 'narrow' })
  return format.format(Math.trunc(seconds / size), unit)
}

/** A length of time, with the unit that suits it. */
export function duration(seconds: number): string {
  if (seconds < 0.9995) return `${number(Math.max(0, seconds) * 1000)} ms`
  if (seconds < 60) return `${number(seconds, 1)} s`
  if (seconds < 3600) return parts(seconds, 60, 'min', 1, 's')
  if (seconds < 86400) return parts(seconds, 3600, 'h', 60, 'min')
  return `${number(seconds / 86400, 1)} d`
}

/** Two units, of which the smaller is left out when it is nought. */
function parts(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ''}`
}

export const between = (start: string, end: string): string =>
  duration((new Date(end).getTime() - new Date(start).getTime()) / 1000)

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`
  return count < 1e6 ? `${number(count / 1000, 1)} kB` : `${number(count / 1e6, 1)} MB`
}
