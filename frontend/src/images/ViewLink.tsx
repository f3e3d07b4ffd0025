// A link to another view of this page: an address that can be copied, followed without loading the page again.
import type { ComponentChildren } from 'preact'
import { usePage } from './context'
import { addressOf } from './useView'
import { isSame, type View } from './view'

interface Properties {
  to: View
  children: ComponentChildren
  className?: string
  current?: boolean
  /** Called after the other view is shown. */
  followed?: () => void
}

export function ViewLink({ to, children, className, current, followed }: Properties) {
  const { view, show } = usePage()
  const follow = (event: MouseEvent): void => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    if (!isSame(to, view)) show(to)
    followed?.()
  }
  return (
    <a href={addressOf(to)} class={className} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  )
}
