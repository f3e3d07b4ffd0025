import type { ComponentChildren } from 'preact'
import { Icon } from './Icon'
import type { Kind } from './Status'

/** One sentence that has to be seen; screen readers read it when it appears. */
export function Note({ kind, children }: { kind: Kind; children: ComponentChildren }) {
  return (
    <p class={`ib-note ib-kind-${kind}`} role="status">
      <Icon name={kind} />
      <span class="ib-text">{children}</span>
    </p>
  )
}
