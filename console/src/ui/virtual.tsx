/** Long lists: only the rows that can be seen are in the page. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, Ref } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

const MARGIN = 8

interface Props<T> {
  items: readonly T[]
  rowHeight: number
  render: (item: T, index: number) => ComponentChildren
  label: string
  columns: ComponentChildren
  columnCount: number
  onTop?: (isAtTop: boolean) => void
  scroller?: Ref<HTMLDivElement>
  foot?: ComponentChildren
}

/** A table of rows of one height, which scrolls by itself; `render` gives one row. */
export function VirtualTable<T>({ items, rowHeight, render, label, columns, columnCount, onTop, foot }: Props<T>) {
  const box = useRef<HTMLDivElement>(null)
  const view = useSignal({ top: 0, height: 800 })
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return undefined
    const watch = new ResizeObserver(() => (view.value = { ...view.value, height: element.clientHeight }))
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  const onScroll = () => {
    const top = box.current?.scrollTop ?? 0
    onTop?.(top < rowHeight / 2)
    if (Math.abs(top - view.value.top) >= rowHeight / 2 || top === 0) view.value = { ...view.value, top }
  }
  const first = Math.max(0, Math.floor(view.value.top / rowHeight) - MARGIN)
  const last = Math.min(items.length, Math.ceil((view.value.top + view.value.height) / rowHeight) + MARGIN)
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={items.length + 1} aria-colcount={columnCount}>
      <div class="table-head" role="rowgroup"><div class="row" role="row" aria-rowindex={1}>{columns}</div></div>
      <div class="table-body" role="rowgroup" ref={box} onScroll={onScroll} tabIndex={0} aria-label={label}>
        <div role="presentation" style={{ height: `${first * rowHeight}px` }} />
        {items.slice(first, last).map((item, index) => render(item, first + index))}
        <div role="presentation" style={{ height: `${Math.max(0, items.length - last) * rowHeight}px` }} />
        {foot && <div role="row"><div role="cell">{foot}</div></div>}
      </div>
    </div>
  )
}
