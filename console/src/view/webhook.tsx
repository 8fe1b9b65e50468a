import { useSignal } from '@preact/signals'
import { call, post } from '../api/client'
import type { Webhook, WebhookWithSecret } from '../api/types'
import { moment, t } from '../i18n'
import { useResource } from '../state/resource'
import { go } from '../state/route'
import { me } from '../state/session'
import { Button, Card, Confirm, CopyText, Empty, Facts, Field, Loading, ProblemBox, Select, Status, ViewHead, When } from '../ui/basics'
import { FormDialog, SecretDialog } from '../ui/form-dialog'
import { attempt, say } from '../ui/toast'
import { Deliveries } from './deliveries'
import { WebhookFields } from './webhooks'

const HOUR = 3600
const OVERLAPS = [0, HOUR, 24 * HOUR, 7 * 24 * HOUR]

/** One endpoint: what it is told, how it answered, and its switches. */
export function WebhookView({ id }: { id: string }) {
  const found = useResource<Webhook>(`/webhooks/${id}`)
  const webhook = found.data
  if (webhook) return <Shown webhook={webhook} onChanged={found.reload} />
  return (
    <div class="view">
      <ViewHead title={t('webhooks.title')} />
      {!found.problem && <Loading />}
      {found.problem?.status === 404 ? <Empty title={t('notFound.title')} text={found.problem.message} icon="search" /> : <ProblemBox problem={found.problem} onRetry={found.reload} />}
    </div>
  )
}

function Shown({ webhook, onChanged }: { webhook: Webhook; onChanged: () => void }) {
  const path = `/webhooks/${webhook.id}`
  const dialog = useSignal<'none' | 'edit' | 'rotate' | 'delete'>('none')
  const secret = useSignal<string | null>(null)
  const told = useSignal(0)
  const close = () => (dialog.value = 'none')
  const isOn = webhook.disabled_at === null
  const isMine = webhook.owner_id === me()?.id
  const turn = () => attempt(() => call('PATCH', path, { body: { enabled: !isOn } }), t(isOn ? 'webhooks.disabled' : 'webhooks.enabled')).then(onChanged)
  const ping = () => attempt(() => post(`${path}/ping`), t('webhooks.pinged')).then(() => (told.value += 1))
  const remove = () => attempt(() => call('DELETE', path), t('webhooks.deleted')).then((isDone) => isDone && go('/webhooks'))
  return (
    <div class="view">
      <ViewHead title={webhook.url} sub={<span class="job-sub"><Status of={isOn ? 'active' : 'disabled'} />{webhook.description}</span>}>
        {isMine && (
          <>
            <Button icon="zap" onClick={() => void ping()}>{t('webhooks.ping')}</Button>
            <Button icon="edit" onClick={() => (dialog.value = 'edit')}>{t('word.edit')}</Button>
            <Button icon="key" onClick={() => (dialog.value = 'rotate')}>{t('webhooks.rotate')}</Button>
            <Button icon={isOn ? 'pause' : 'play'} look={isOn ? 'plain' : 'main'} onClick={() => void turn()}>{t(isOn ? 'webhooks.disable' : 'webhooks.enable')}</Button>
            <Button icon="trash" look="danger" onClick={() => (dialog.value = 'delete')}>{t('word.delete')}</Button>
          </>
        )}
      </ViewHead>
      {webhook.disabled_reason && <p class="notice" role="status">{t('webhooks.reason', { reason: webhook.disabled_reason })}</p>}
      <Card title={t('job.facts')}><WebhookFacts webhook={webhook} /></Card>
      <Deliveries key={told.value} path={path} mayReplay={isMine} />
      {dialog.value === 'edit' && <EditDialog webhook={webhook} onClose={close} onDone={onChanged} />}
      {dialog.value === 'rotate' && <RotateDialog path={path} onClose={close} onDone={(next) => { secret.value = next; onChanged() }} />}
      {dialog.value === 'delete' && <Confirm text={t('webhooks.confirmDelete', { url: webhook.url })} action={t('word.delete')} onConfirm={() => void remove()} onClose={close} />}
      {secret.value !== null && <SecretDialog title={t('webhooks.secret')} secret={secret.value} onClose={() => (secret.value = null)} />}
    </div>
  )
}

function WebhookFacts({ webhook }: { webhook: Webhook }) {
  const until = webhook.previous_secret_until
  return (
    <Facts items={[
      [t('webhooks.events'), webhook.events.length ? webhook.events.map((event) => <span class="tag" key={event}>{event}</span>) : t('webhooks.onlyNamed')],
      [t('webhooks.lastSuccess'), <When at={webhook.last_success_at} />],
      ...(until && Date.parse(until) > Date.now() ? [[t('webhooks.oldSecret'), moment(until)] as const] : []),
      [t('word.id'), <CopyText text={webhook.id} />],
      [t('word.created'), moment(webhook.created_at)],
    ]} />
  )
}

function EditDialog({ webhook, onClose, onDone }: { webhook: Webhook; onClose: () => void; onDone: () => void }) {
  return (
    <FormDialog
      title={t('webhooks.edit')} action={t('word.save')} onClose={onClose}
      onSend={async (given) => {
        await call('PATCH', `/webhooks/${webhook.id}`, { body: { url: given.text('url'), description: given.text('description'), events: given.all('event') } })
        say(t('word.saved'))
        onClose()
        onDone()
      }}
    >
      <WebhookFields webhook={webhook} />
    </FormDialog>
  )
}

function RotateDialog({ path, onClose, onDone }: { path: string; onClose: () => void; onDone: (secret: string) => void }) {
  const overlap = useSignal(String(24 * HOUR))
  const names = [t('webhooks.overlapNone'), t('requests.1h'), t('requests.24h'), t('webhooks.week')]
  return (
    <FormDialog
      title={t('webhooks.rotate')} action={t('webhooks.rotate')} onClose={onClose}
      onSend={async () => {
        const { secret } = await post<WebhookWithSecret>(`${path}/rotate`, { overlap: Number(overlap.value) })
        onClose()
        onDone(secret)
      }}
    >
      <p>{t('webhooks.rotateText')}</p>
      <Field label={t('webhooks.overlap')}>
        {(id) => <Select id={id} label={t('webhooks.overlap')} value={overlap.value} options={OVERLAPS.map((each, index) => [String(each), names[index] ?? ''] as const)} onChange={(next) => (overlap.value = next)} />}
      </Field>
    </FormDialog>
  )
}
