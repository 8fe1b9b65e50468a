import { useSignal } from '@preact/signals'
import { call, post, Problem } from '../api/client'
import type { Collection, Doc, Job, Passage } from '../api/types'
import { number, t } from '../i18n'
import { usePages } from '../state/resource'
import { BASE, go, route } from '../state/route'
import { Button, Card, Confirm, Dialog, Empty, Field, Loading, ProblemBox, ViewHead } from '../ui/basics'
import { attempt, say } from '../ui/toast'
import { DocumentRow } from './document'
import { Sharing, SharingTag } from './sharing'
import { Upload } from './upload'

const INTERVAL = 2000

/** Collections of documents, and search by meaning. */
export function CollectionsView() {
  const page = usePages<Collection>('/collections', { limit: 50 })
  const isCreating = useSignal(false)
  const chosen = page.items.find((each) => each.id === route.value.parts[1])
  return (
    <div class="view">
      <ViewHead title={t('collections.title')}><Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('collections.create')}</Button></ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('collections.empty')} text={t('collections.emptyText')} icon="file" />)}
      {page.items.length > 0 && (
        <div class="split">
          <nav class="split-list" aria-label={t('collections.list')}>
            {page.items.map((each) => (
              <a key={each.id} class="item" href={`${BASE}/collections/${each.id}`} aria-current={each === chosen ? 'true' : undefined}>
                <span class="item-head"><span><b>{each.name}</b><SharingTag collection={each} /></span><span class="faint">{number(each.document_count)}</span></span>
                <span class="item-text">{each.description ?? each.embedding_model ?? '–'}</span>
              </a>
            ))}
          </nav>
          {chosen ? <Shown key={chosen.id} collection={chosen} onChanged={page.reload} /> : <Empty title={t('collections.choose')} icon="file" />}
        </div>
      )}
      {isCreating.value && <CreateDialog onClose={() => (isCreating.value = false)} onDone={(made) => { page.reload(); go(`/collections/${made.id}`) }} />}
    </div>
  )
}

function Shown({ collection, onChanged }: { collection: Collection; onChanged: () => void }) {
  const path = `/collections/${collection.id}`
  const documents = usePages<Doc>(`${path}/documents`, { limit: 50 }, INTERVAL)
  const removing = useSignal<{ name: string; path: string } | null>(null)
  const remove = (target: string) => attempt(() => call('DELETE', target)).then(() => {
    documents.reload()
    onChanged()
    if (target === path) go('/collections')
  })
  const reload = () => { documents.reload(); onChanged() }
  return (
    <div class="stack">
      <Search path={path} />
      <Card title={`${t('collections.documents')}: ${collection.name}`} extra={collection.is_owner && <Button look="quiet" icon="trash" label={t('collections.delete', { name: collection.name })} onClick={() => (removing.value = { name: collection.name, path })} />}>
        <Sharing collection={collection} onChanged={onChanged} />
        {collection.is_owner && <Upload path={path} onDone={reload} />}
        <ProblemBox problem={documents.problem} />
        {documents.items.length === 0 ? <p class="card-quiet">{t('collections.noDocuments')}</p> : (
          <div class="card-scroll"><table class="grid" aria-label={t('collections.documents')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('word.status')}</th><th class="num">{t('collections.size')}</th><th class="num">{t('collections.chunks')}</th><th>{t('word.time')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {documents.items.map((each) => <DocumentRow key={each.id} document={each} path={`${path}/documents/${each.id}`} onRemove={collection.is_owner ? (target) => (removing.value = { name: each.name, path: target }) : undefined} />)}
            </tbody>
          </table></div>
        )}
        {documents.hasMore && <div class="table-foot"><Button onClick={documents.more}>{t('word.more')}</Button></div>}
      </Card>
      {removing.value && <Confirm text={t('collections.confirmDelete', { name: removing.value.name })} action={t('word.delete')} onConfirm={() => removing.value && void remove(removing.value.path)} onClose={() => (removing.value = null)} />}
    </div>
  )
}

interface Answer {
  passages: Passage[]
}

function Search({ path }: { path: string }) {
  const answer = useSignal<Answer | null>(null)
  const problem = useSignal<Problem | null>(null)
  const isBusy = useSignal(false)
  const search = async (event: Event) => {
    event.preventDefault()
    const query = String(new FormData(event.currentTarget as HTMLFormElement).get('query')).trim()
    if (!query) return
    isBusy.value = true
    problem.value = null
    try {
      answer.value = await find(path, query)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    } finally {
      isBusy.value = false
    }
  }
  return (
    <Card>
      <form class="search-form" role="search" aria-label={t('collections.search')} onSubmit={(event) => void search(event)}>
        <input class="input" name="query" aria-label={t('collections.search')} placeholder={t('collections.search')} autocomplete="off" />
        <Button look="main" type="submit" icon="search" disabled={isBusy.value}>{t('word.search')}</Button>
      </form>
      <ProblemBox problem={problem.value} />
      <div role="region" aria-label={t('collections.results')} aria-live="polite">
        {answer.value?.passages.length === 0 && <p class="card-quiet">{t('collections.noResults')}</p>}
        {answer.value?.passages.map((each) => (
          <article class="hit" key={`${each.document_id}${each.index}`}>
            <header class="hit-head"><b>{each.document_name}{each.page ? `, ${t('collections.page', { n: each.page })}` : ''}</b><span>{t('collections.score')} {number(each.score, 2)}</span></header>
            <p>{each.text}</p>
          </article>
        ))}
      </div>
    </Card>
  )
}

/** Search; an answer that takes longer comes as a job whose end is waited for. */
async function find(path: string, query: string): Promise<Answer> {
  let found = await post<Answer | Job>(`${path}/search`, { query })
  while (!('passages' in found) && ['queued', 'running'].includes(found.status)) {
    await new Promise((done) => setTimeout(done, 500))
    found = await call<Job>('GET', `/jobs/${found.id}`)
  }
  if ('passages' in found) return found
  const { result, error } = found
  if (found.status !== 'succeeded') throw new Problem(500, found.status, String(error?.message ?? found.status), found.request_id, [])
  return { passages: (result?.passages ?? []) as Passage[] }
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: (made: Collection) => void }) {
  const problem = useSignal<Problem | null>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const read = (name: string) => String(form.get(name) ?? '').trim() || null
    try {
      const made = await post<Collection>('/collections', { name: read('name'), description: read('description'), visibility: form.has('shared') ? 'tenant' : 'private' })
      onClose()
      say(made.name)
      onDone(made)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    }
  }
  return (
    <Dialog title={t('collections.create')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required />}</Field>
          <Field label={t('collections.description')}>{(id) => <input id={id} class="input" name="description" />}</Field>
          <div class="checks"><label><input type="checkbox" class="check" name="shared" />{t('collections.share')}</label></div>
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot"><Button onClick={onClose}>{t('word.cancel')}</Button><Button look="main" type="submit">{t('word.create')}</Button></footer>
      </form>
    </Dialog>
  )
}
