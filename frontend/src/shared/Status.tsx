// How something is: an icon and a text; the colour repeats it.
import type { ImageRow, Outcome } from '../api'
import { Icon } from './Icon'

export type Kind = 'success' | 'failed' | 'running' | 'pending' | 'skipped' | 'cancelled' | 'warning'

export function Status({ kind, text, title }: { kind: Kind; text: string; title?: string | undefined }) {
  return (
    <span class={`ib-status ib-kind-${kind}`} title={title}>
      <Icon name={kind} />
      <span class="ib-text">{text}</span>
    </span>
  )
}

type State = Pick<ImageRow, 'status' | 'ended' | 'stale'>

/** The status of an image, in AWS's word; one that no task follows to its end is marked. */
export function ImageStatus({ image }: { image: State }) {
  const title = image.stale ? 'The task ended before the image did: this is what it saw last.' : undefined
  return <Status kind={kindOfImage(image)} text={wordOfImage(image)} title={title} />
}

export function OutcomeStatus({ outcome }: { outcome: Outcome }) {
  return <Status kind={kindOfOutcome(outcome)} text={outcome} />
}

export function wordOfImage({ status, stale }: State): string {
  const word = /^[A-Z_]+$/.test(status) ? status.toLowerCase().replaceAll('_', ' ') : status
  return stale ? `${word}, last seen` : word
}

export function kindOfImage({ status, ended, stale }: State): Kind {
  if (stale) return 'warning'
  if (status === 'AVAILABLE') return 'success'
  if (status === 'FAILED') return 'failed'
  if (status === 'PENDING') return 'pending'
  return ended ? 'cancelled' : 'running'
}

export function kindOfOutcome(outcome: Outcome): Kind {
  return outcome === 'passed' ? 'success' : outcome
}
