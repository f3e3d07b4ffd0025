// The seam to Airflow's UI. Airflow renders our component with its own React; ours renders with Preact below it, so
// that one bundle serves every version of Airflow, and the page without Airflow's frame.
import { render, type VNode } from 'preact'
import { ADDRESS_CHANGED, inAirflow, type Navigation } from './navigation'

/** What Airflow passes to a component: the place in its UI that shows it. */
export interface Place {
  dagId?: string
  runId?: string
  taskId?: string
  mapIndex?: string
}

/** The part of React and of its router that is used, as Airflow's UI publishes them. */
interface Host {
  React: {
    createElement(type: string, properties: object): unknown
    useEffect(effect: () => () => void, dependencies: unknown[]): void
    useRef<T>(initial: T): { current: T }
  }
  ReactRouterDOM?: { useNavigate(): (path: string) => void; useLocation?(): unknown }
}

const STYLES = new URL('imagebuilder.css', import.meta.url).href

/** Give Airflow's UI a component under the name of its React app. */
export function hosted(name: string, draw: (place: Place, navigation: Navigation) => VNode): void {
  const global = globalThis as unknown as Host & Record<string, unknown>
  global[name] = function ImageBuilder(place: Place): unknown {
    const { React, ReactRouterDOM } = global
    const element = React.useRef<HTMLElement | null>(null)
    const navigate = ReactRouterDOM?.useNavigate()
    React.useEffect(() => {
      const container = element.current
      if (!container) return () => undefined
      addStyles()
      render(draw(place, inAirflow(navigate)), container)
      return () => render(null, container)
    }, [place.dagId, place.runId, place.taskId, place.mapIndex])
    const location = ReactRouterDOM?.useLocation?.()
    // The router changes the address without an event that the browser gives.
    React.useEffect(() => {
      dispatchEvent(new Event(ADDRESS_CHANGED))
      return () => undefined
    }, [location])
    return React.createElement('div', { ref: element, className: 'imagebuilder imagebuilder-hosted' })
  }
}

function addStyles(): void {
  if (document.querySelector(`link[href="${STYLES}"]`)) return
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = STYLES
  document.head.append(link)
}
