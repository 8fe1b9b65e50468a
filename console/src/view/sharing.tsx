import { call } from '../api/client'
import type { Collection } from '../api/types'
import { t } from '../i18n'
import { isOperator } from '../state/session'
import { attempt } from '../ui/toast'

/** Beside the name of a collection that the tenant reads: whether it is one's own. */
export function SharingTag({ collection }: { collection: Collection }) {
  if (collection.visibility === 'private') return null
  return <span class="tag tag-good">{t(collection.is_owner ? 'collections.shared' : 'collections.ofOthers')}</span>
}

/** Who reads a collection: a switch for its owner, and for operators as long as it is on; for the others a sentence. */
export function Sharing({ collection, onChanged }: { collection: Collection; onChanged: () => void }) {
  const { is_owner: isMine, name } = collection
  const isShared = collection.visibility === 'tenant'
  const turn = () => {
    const body = { visibility: isShared ? 'private' : 'tenant' }
    return attempt(() => call('PATCH', `/collections/${collection.id}`, { body }), t(isShared ? 'collections.unsharedNow' : 'collections.sharedNow', { name })).then(onChanged)
  }
  return (
    <div class="card-quiet">
      {!isMine && <p>{t('collections.ofOthersText')}</p>}
      {(isMine || isOperator()) && (
        <div class="checks"><label><input type="checkbox" role="switch" class="check" checked={isShared} onChange={() => void turn()} />{t('collections.share')}</label></div>
      )}
    </div>
  )
}
