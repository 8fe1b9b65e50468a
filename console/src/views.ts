/** Every view: its path, its place in the menu, and who gets it. */
import type { ComponentType } from 'preact'
import type { Key } from './i18n'
import { hasFeature } from './state/features'
import { hasAccount, isAdmin, isOperator } from './state/session'
import type { IconName } from './ui/icon'
import { AccountView } from './view/account'
import { AuditView } from './view/audit'
import { BudgetsView } from './view/budgets'
import { CollectionsView } from './view/collections'
import { DeadLettersView } from './view/dead-letters'
import { JobView } from './view/job'
import { JobsView } from './view/jobs'
import { KeysView } from './view/keys'
import { MailsView } from './view/mails'
import { PeopleView } from './view/people'
import { QueuesView } from './view/queues'
import { RequestsView } from './view/requests'
import { SchedulesView } from './view/schedules'
import { TenantView, TenantsView } from './view/tenants'
import { ThreadsView } from './view/threads'
import { UsageView } from './view/usage'
import { WebhookView } from './view/webhook'
import { WebhooksView } from './view/webhooks'

type View = ComponentType<{ id: string }>

export interface Entry {
  path: string
  title: Key
  icon: IconName
  group: Key
  view: View
  /** What `path/id` shows, when it is a view of its own. */
  one?: View
  feature: string
  isFor?: () => boolean
}

export const VIEWS: readonly Entry[] = [
  { path: 'jobs', title: 'nav.jobs', icon: 'list', group: 'nav.work', view: JobsView, one: JobView, feature: 'jobs' },
  { path: 'dead-letters', title: 'nav.dead', icon: 'inbox', group: 'nav.work', view: DeadLettersView, feature: 'jobs' },
  { path: 'schedules', title: 'nav.schedules', icon: 'schedule', group: 'nav.work', view: SchedulesView, feature: 'schedules' },
  { path: 'threads', title: 'nav.threads', icon: 'chat', group: 'nav.data', view: ThreadsView, feature: 'threads' },
  { path: 'collections', title: 'nav.collections', icon: 'file', group: 'nav.data', view: CollectionsView, feature: 'collections' },
  { path: 'mails', title: 'nav.mails', icon: 'mail', group: 'nav.data', view: MailsView, feature: 'mails' },
  { path: 'queues', title: 'nav.queues', icon: 'server', group: 'nav.watch', view: QueuesView, feature: 'ops', isFor: isOperator },
  { path: 'requests', title: 'nav.requests', icon: 'scroll', group: 'nav.watch', view: RequestsView, feature: 'logs' },
  { path: 'usage', title: 'nav.usage', icon: 'chart', group: 'nav.watch', view: UsageView, feature: 'usage' },
  { path: 'budgets', title: 'nav.budgets', icon: 'wallet', group: 'nav.watch', view: BudgetsView, feature: 'budgets', isFor: isOperator },
  { path: 'audit', title: 'nav.audit', icon: 'shield', group: 'nav.watch', view: AuditView, feature: 'audit', isFor: isOperator },
  { path: 'people', title: 'nav.people', icon: 'users', group: 'nav.manage', view: PeopleView, feature: 'users', isFor: isOperator },
  { path: 'tenants', title: 'nav.tenants', icon: 'building', group: 'nav.manage', view: TenantsView, one: TenantView, feature: 'tenants', isFor: isAdmin },
  { path: 'keys', title: 'nav.keys', icon: 'key', group: 'nav.manage', view: KeysView, feature: 'api-keys' },
  { path: 'webhooks', title: 'nav.webhooks', icon: 'webhook', group: 'nav.manage', view: WebhooksView, one: WebhookView, feature: 'webhooks' },
  { path: 'account', title: 'nav.account', icon: 'user', group: 'nav.manage', view: AccountView, feature: 'auth', isFor: hasAccount },
]

/** The views of this api for this person. */
export const visibleViews = (): Entry[] => VIEWS.filter((entry) => hasFeature(entry.feature) && (entry.isFor?.() ?? true))

export const findView = (name: string): Entry | undefined => visibleViews().find((entry) => entry.path === name)
