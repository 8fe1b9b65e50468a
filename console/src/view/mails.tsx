import { post } from '../api/client'
import type { Json, Mail } from '../api/types'
import { moment, t, tName } from '../i18n'
import { usePages, useResource } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { Button, Card, CopyText, Empty, Facts, Loading, ProblemBox, Segmented, shortId, Status, ViewHead, When } from '../ui/basics'
import { JsonView } from '../ui/json'
import { attempt } from '../ui/toast'

const STATUSES = ['sent', 'sending', 'deferred', 'failed', 'unknown'] as const
const MAY_RESEND = ['unknown', 'failed', 'deferred']

/** What was sent to whom, and the words in it while its job is kept. */
export function MailsView() {
  const status = route.value.query.get('status') ?? ''
  const page = usePages<Mail>('/mails', { status, limit: 50 }, 5000)
  const chosen = page.items.find((mail) => mail.id === route.value.parts[1])
  return (
    <div class="view">
      <ViewHead title={t('mails.title')}><Button icon="refresh" label={t('word.refresh')} onClick={page.reload} /></ViewHead>
      <div class="filters" role="group" aria-label={t('jobs.filters')}>
        <Segmented label={t('word.status')} value={status} options={[['', t('word.all')], ...STATUSES.map((each) => [each, tName('status', each)] as const)]} onChange={(next) => goQuery({ status: next })} />
      </div>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('mails.empty')} text={t('mails.emptyText')} icon="mail" />)}
      {page.items.length > 0 && (
        <div class="split">
          <nav class="split-list" aria-label={t('mails.list')}>
            {page.items.map((mail) => (
              <a key={mail.id} class="item" href={`${BASE}/mails/${mail.id}${status && `?status=${status}`}`} aria-current={mail === chosen ? 'true' : undefined} data-mail={mail.id}>
                <span class="item-head"><b>{mail.recipient}</b><When at={mail.created_at} /></span>
                <span class="item-text">{mail.subject || '–'}</span>
                <Status of={mail.status} />
              </a>
            ))}
            {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
          </nav>
          <div class="split-main">{chosen ? <Shown key={chosen.id} mail={chosen} onChanged={page.reload} /> : <Empty title={t('mails.choose')} icon="mail" />}</div>
        </div>
      )}
    </div>
  )
}

interface Words {
  subject?: string | null
  text?: string | null
  html?: string | null
  reply_to?: string | null
  variables?: Json
  attachments?: { filename: string }[]
}

function Shown({ mail, onChanged }: { mail: Mail; onChanged: () => void }) {
  const payload = useResource<{ payload: Words }>(`/jobs/${mail.id}/payload`)
  const words = payload.data?.payload
  const resend = () => attempt(() => post(`/mails/${mail.id}/resend`), t('mails.resent')).then(onChanged)
  return (
    <article class="card mail" aria-label={mail.subject}>
      <header class="mail-head">
        <h2>{mail.subject || '–'}</h2>
        {MAY_RESEND.includes(mail.status) && <Button icon="send" onClick={() => void resend()}>{t('mails.resend')}</Button>}
      </header>
      <Facts items={[
        [t('mails.recipient'), mail.recipient],
        [t('word.status'), <Status of={mail.status} />],
        [t('word.time'), moment(mail.updated_at)],
        [t('mails.response'), mail.response],
        ...(mail.template ? [[t('mails.template'), <code>{mail.template}</code>] as const] : []),
        ...(words?.reply_to ? [[t('mails.replyTo'), words.reply_to] as const] : []),
        ...(words?.attachments?.length ? [[t('mails.attachments'), words.attachments.map((each) => each.filename).join(', ')] as const] : []),
        [t('mails.messageId'), <CopyText text={mail.message_id} />],
        [t('mails.job'), <a href={`${BASE}/jobs/${mail.id}`}><code>{shortId(mail.id)}</code></a>],
      ]} />
      {payload.problem && <p class="card-quiet">{t('mails.noText')}</p>}
      {words?.text && <pre class="mail-text" aria-label={t('mails.text')} role="region" tabIndex={0}>{words.text}</pre>}
      {words?.html && <details class="more"><summary>{t('mails.html')}</summary><pre class="mail-text mono">{words.html}</pre></details>}
      {mail.template && words?.variables && <Card title={t('mails.variables')}><JsonView value={words.variables} label={t('mails.variables')} /></Card>}
    </article>
  )
}
