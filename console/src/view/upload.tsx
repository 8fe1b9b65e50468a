import { useSignal } from '@preact/signals'
import { upload } from '../api/client'
import { number, t } from '../i18n'
import { Icon } from '../ui/icon'
import { attempt } from '../ui/toast'

const ACCEPTED = '.txt,.md,.html,.pdf,.docx'

interface Leaving {
  name: string
  part: number
}

/** Where files are dropped or chosen; they leave one after the other. */
export function Upload({ path, onDone }: { path: string; onDone: () => void }) {
  const isOver = useSignal(false)
  const leaving = useSignal<Leaving | null>(null)
  const send = async (files: readonly File[]) => {
    for (const file of files) {
      const form = new FormData()
      form.append('file', file)
      leaving.value = { name: file.name, part: 0 }
      await attempt(() => upload(`${path}/documents`, form, (part) => (leaving.value = { name: file.name, part })), t('collections.uploaded', { name: file.name }))
      onDone()
    }
    leaving.value = null
  }
  return (
    <>
      <label
        class={`upload ${isOver.value ? 'is-over' : ''}`}
        onDragOver={(event) => { event.preventDefault(); isOver.value = true }}
        onDragLeave={() => (isOver.value = false)}
        onDrop={(event) => { event.preventDefault(); isOver.value = false; void send([...(event.dataTransfer?.files ?? [])]) }}
      >
        <Icon name="upload" />{t('collections.drop')} <span class="faint">{ACCEPTED.replaceAll(',', ' ')}</span>
        <input
          class="hidden" type="file" multiple accept={ACCEPTED}
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])]
            event.currentTarget.value = '' // so that the same file can be chosen again
            void send(files)
          }}
        />
      </label>
      {leaving.value && (
        <div class="progress upload-progress">
          <progress class="bar bar-wide" max={1} value={leaving.value.part} aria-label={t('collections.uploading', { name: leaving.value.name })} />
          <span>{leaving.value.name} · {number(leaving.value.part * 100)} %</span>
        </div>
      )}
    </>
  )
}
