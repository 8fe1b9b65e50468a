import { post } from '../api/client'
import type { Thread } from '../api/types'
import { t } from '../i18n'
import { usePages } from '../state/resource'
import { BASE, go, route } from '../state/route'
import { Button, Empty, Loading, ProblemBox, Status, ViewHead, When } from '../ui/basics'
import { attempt } from '../ui/toast'
import { ThreadCard, titleOf } from './thread'

/** Conversations with the agent. */
export function ThreadsView() {
  const page = usePages<Thread>('/threads', { limit: 50 })
  const id = route.value.parts[1]
  const begin = () => attempt(async () => {
    const thread = await post<Thread>('/threads', {})
    page.reload()
    go(`/threads/${thread.id}`)
  })
  return (
    <div class="view">
      <ViewHead title={t('threads.title')}><Button look="main" icon="plus" onClick={() => void begin()}>{t('threads.create')}</Button></ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && !id && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('threads.empty')} text={t('threads.emptyText')} icon="chat" />)}
      {(page.items.length > 0 || id) && (
        <div class="split">
          <nav class="split-list" aria-label={t('threads.list')}>
            {page.items.map((each) => (
              <a key={each.id} class="item" href={`${BASE}/threads/${each.id}`} aria-current={each.id === id ? 'true' : undefined} data-thread={each.id}>
                <span class="item-head"><b>{titleOf(each)}</b><When at={each.updated_at} /></span>
                <span class="item-text">{each.flow} · {each.message_count}{each.forked_from && ` · ${t('threads.forked')}`}</span>
                {each.status !== 'idle' && <Status of={each.status} />}
              </a>
            ))}
            {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
          </nav>
          {id ? <ThreadCard key={id} id={id} onChanged={page.reload} /> : <Empty title={t('threads.choose')} icon="chat" />}
        </div>
      )}
    </div>
  )
}
