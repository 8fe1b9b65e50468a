import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { call, post } from '../api/client'
import type { SignIn } from '../api/types'
import { t, tName } from '../i18n'
import { useForm, type Given } from '../state/form'
import { language } from '../state/preferences'
import { useResource } from '../state/resource'
import { BASE } from '../state/route'
import { changePassword, me, readMe, signOutEverywhere } from '../state/session'
import { Button, Card, Confirm, CopyText, Facts, Field, ProblemBox, ViewHead, When } from '../ui/basics'
import { attempt, say } from '../ui/toast'

/** One's own account: name, address, password, and where one is signed in. */
export function AccountView() {
  const user = me()
  if (!user) return null
  return (
    <div class="view">
      <ViewHead title={t('account.title')} sub={user.email} />
      <div class="two">
        <Card title={t('account.profile')}>
          <Facts items={[
            [t('people.email'), user.email],
            [t('people.role'), tName('role', user.role)],
            [t('word.id'), <CopyText text={user.id} />],
            [t('keys.title'), <a href={`${BASE}/keys`}>{t('account.keys')}</a>],
          ]} />
          <CardForm action={t('word.save')} onSend={async (given) => {
            await call('PATCH', `/users/${user.id}`, { body: { name: given.text('name') } })
            await readMe()
            say(t('word.saved'))
          }}>
            <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" autocomplete="name" required maxLength={100} defaultValue={user.name ?? ''} />}</Field>
          </CardForm>
        </Card>
        <Card title={t('account.password')}>
          <PasswordForm />
        </Card>
      </div>
      <Sessions />
      <Card title={t('account.email')}>
        <p class="card-quiet">{t('account.emailText')}</p>
        <CardForm action={t('account.sendCode')} onSend={async (given) => {
          await post('/auth/email/change', { new_email: given.text('new_email'), password: given.raw('password'), locale: language.value })
          say(t('account.codeSent'))
        }}>
          <div class="form-grid form-two">
            <Field label={t('account.newEmail')}>{(id) => <input id={id} class="input" name="new_email" type="email" autocomplete="email" required />}</Field>
            <Field label={t('account.current')}>{(id) => <input id={id} class="input" name="password" type="password" autocomplete="current-password" required />}</Field>
          </div>
        </CardForm>
      </Card>
    </div>
  )
}

function CardForm({ action, onSend, children }: { action: string; onSend: (given: Given) => Promise<void>; children: ComponentChildren }) {
  const form = useForm(onSend)
  return (
    <form class="card-form" onSubmit={form.onSubmit}>
      {children}
      <ProblemBox problem={form.problem} />
      <Button look="main" type="submit" disabled={form.isBusy}>{action}</Button>
    </form>
  )
}

function PasswordForm() {
  const round = useSignal(0)
  return (
    <CardForm key={round.value} action={t('account.changePassword')} onSend={async (given) => {
      await changePassword(given.raw('current'), given.raw('next'))
      say(t('account.passwordChanged'))
      round.value += 1
    }}>
      <input class="hidden" type="text" autocomplete="username" value={me()?.email ?? ''} readOnly tabIndex={-1} aria-hidden="true" />
      <Field label={t('account.current')}>{(id) => <input id={id} class="input" name="current" type="password" autocomplete="current-password" required />}</Field>
      <Field label={t('account.new')} hint={t('account.passwordHint')}>{(id, described) => <input id={id} aria-describedby={described} class="input" name="next" type="password" autocomplete="new-password" required />}</Field>
    </CardForm>
  )
}

function Sessions() {
  const list = useResource<{ items: SignIn[] }>('/auth/sessions')
  const isEnding = useSignal(false)
  const end = (session: SignIn) => attempt(() => call('DELETE', `/auth/sessions/${session.id}`), t('account.ended')).then(list.reload)
  return (
    <Card title={t('account.sessions')} extra={<Button look="danger" icon="leave" onClick={() => (isEnding.value = true)}>{t('account.endAll')}</Button>}>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      <div class="card-scroll">
        <table class="grid" aria-label={t('account.sessions')}>
          <thead><tr><th>{t('account.device')}</th><th>{t('account.address')}</th><th>{t('account.began')}</th><th>{t('account.used')}</th><th>{t('keys.expires')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
          <tbody>
            {list.data?.items.map((each) => (
              <tr key={each.id} data-session={each.id}>
                <td class="cell-wide" title={each.user_agent ?? undefined}><b>{device(each.user_agent)}</b>{each.is_current && <span class="tag tag-good">{t('account.thisOne')}</span>}</td>
                <td>{each.address ?? '–'}</td>
                <td><When at={each.created_at} /></td>
                <td><When at={each.used_at} /></td>
                <td><When at={each.expires_at} /></td>
                <td class="cell-actions">{!each.is_current && <Button icon="x" aria-label={t('account.endName', { name: device(each.user_agent) })} onClick={() => void end(each)}>{t('account.end')}</Button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {isEnding.value && <Confirm text={t('account.confirmEndAll')} action={t('account.endAll')} onConfirm={() => void attempt(signOutEverywhere)} onClose={() => (isEnding.value = false)} />}
    </Card>
  )
}

const BROWSERS = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']] as const
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']] as const

/** A browser and its system in few words; a program as it names itself. */
function device(agent: string | null): string {
  if (!agent) return '–'
  const browser = BROWSERS.find(([mark]) => agent.includes(mark))?.[1]
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1]
  return browser ? `${browser}${system ? ` · ${system}` : ''}` : agent.slice(0, 60)
}
