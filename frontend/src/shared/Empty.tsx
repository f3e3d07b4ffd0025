import type { ComponentChildren } from 'preact'

/** What is shown where there is nothing yet, and how to begin. */
export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="ib-empty">
      <h2>{title}</h2>
      {children}
    </section>
  )
}
