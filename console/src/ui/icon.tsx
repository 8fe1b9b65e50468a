import { h } from 'preact'
import {
  Ban, Check, ChevronDown, CircleAlert, Clock, Copy, FileText, Globe, Hourglass, Inbox, Key, Layers, ListChecks, LoaderCircle, LogOut,
  Mail, Menu, MessageSquare, Minus, Monitor, Moon, Pause, Play, Plus, RefreshCw, RotateCcw, ScrollText, Search, Send, Server, Sun,
  Trash2, Upload, Users, Webhook, X, CalendarClock, ChartColumn, ArrowUp, Zap, Pencil, ShieldCheck, Wallet, Building2, CircleUser, GitFork, History,
  Download,
} from 'lucide'

const ICONS = {
  ban: Ban, check: Check, down: ChevronDown, alert: CircleAlert, clock: Clock, copy: Copy, file: FileText, globe: Globe, hourglass: Hourglass,
  inbox: Inbox, key: Key, layers: Layers, list: ListChecks, spinner: LoaderCircle, leave: LogOut, mail: Mail, menu: Menu,
  chat: MessageSquare, minus: Minus, monitor: Monitor, moon: Moon, pause: Pause, play: Play, plus: Plus, refresh: RefreshCw,
  retry: RotateCcw, scroll: ScrollText, search: Search, send: Send, server: Server, sun: Sun, trash: Trash2, upload: Upload,
  users: Users, webhook: Webhook, x: X, schedule: CalendarClock, chart: ChartColumn, up: ArrowUp, zap: Zap,
  edit: Pencil, shield: ShieldCheck, wallet: Wallet, building: Building2, user: CircleUser, fork: GitFork, history: History,
  download: Download,
}
export type IconName = keyof typeof ICONS

/** A picture beside words; it says nothing to screen readers. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  const shapes = ICONS[name].map(([tag, attributes]) => h(tag, attributes as Record<string, string>))
  const line = { fill: 'none', stroke: 'currentColor', 'stroke-width': 1.9, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' } as const
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" {...line}>
      {shapes}
    </svg>
  )
}
