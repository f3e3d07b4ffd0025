// Why the image failed, and what to do next: in the page itself, because it is what a reader came for.
import { useState } from 'preact/hooks'
import type { Failure } from '../api'
import { Copy } from '../shared/Copy'
import { Icon } from '../shared/Icon'

export interface FailureReportProps {
  failure: Failure
  available: boolean
  /** Links to where the advice is followed. */
  children: preact.ComponentChildren
}

export function FailureReport({ failure, available, children }: FailureReportProps) {
  const [whole, showWhole] = useState(false)
  const kind = available ? 'warning' : 'failed'
  const places: [string, string | null][] = [
    ['Workflow', failure.workflow],
    ['Step', failure.step],
    ['Component', failure.component],
  ]
  return (
    <section class={`ib-failure ib-kind-${kind}`}>
      <h3>
        <Icon name={kind} /> <span class="ib-text">{failure.stage ? `Failed: ${failure.stage.toLowerCase()}` : 'Failed'}</span>
      </h3>
      <dl class="ib-facts">
        {places.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd class="ib-text">{value}</dd>
              </div>
            ),
        )}
      </dl>
      {failure.message && <p class="ib-text ib-lines">{failure.message}</p>}
      {failure.advice && <p class="ib-text ib-lines ib-advice">{failure.advice}</p>}
      <div class="ib-actions">
        <button type="button" class="ib-button" aria-expanded={whole} onClick={() => showWhole(!whole)}>
          Whole report
        </button>
        <Copy text={failure.text} of="report" labelled />
        {children}
      </div>
      {whole && (
        <pre class="ib-text ib-lines ib-report" tabIndex={0} role="region" aria-label="Whole report">
          {failure.text}
        </pre>
      )}
    </section>
  )
}
