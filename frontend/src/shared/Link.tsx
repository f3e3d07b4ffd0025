// Links. Inside of Airflow's UI a plain click does not load the page again; every other click is the browser's.
import type { ComponentChildren } from 'preact'
import { BASE, type Navigation } from '../navigation'
import { Icon } from './Icon'

export interface LinkProps {
  to: string
  navigation: Navigation
  children: ComponentChildren
  label?: string | undefined
}

/** A link; what is not an address of http or https is text only. */
export function Link({ to, navigation, children, label }: LinkProps) {
  const address = webAddress(to)
  if (!address) return <span class="ib-text">{children}</span>
  if (address.origin !== location.origin) return <Outside address={address}>{children}</Outside>
  const path = address.pathname + address.search + address.hash
  return (
    <a href={path} class="ib-text" aria-label={label} onClick={(event) => followed(event, path, navigation)}>
      {children}
    </a>
  )
}

function Outside({ address, children }: { address: URL; children: ComponentChildren }) {
  return (
    <a href={address.href} class="ib-outside" target="_blank" rel="noopener noreferrer">
      <span class="ib-text">{children}</span>
      <Icon name="outside" />
      <span class="ib-hidden"> (opens in a new tab)</span>
    </a>
  )
}

export function webAddress(text: string): URL | null {
  try {
    const address = new URL(text, location.href)
    return address.protocol === 'https:' || address.protocol === 'http:' ? address : null
  } catch {
    return null
  }
}

export function followed(event: MouseEvent, path: string, navigation: Navigation): void {
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
  if (!plain || event.defaultPrevented) return
  if (path.startsWith(`${BASE}/imagebuilder/`)) return // not a page of Airflow's router
  if (navigation.follow(path)) event.preventDefault()
}
