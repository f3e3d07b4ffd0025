// How much room the timeline has: Airflow's panel is as wide as its reader makes it.
import type { RefObject } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'
import type { Room } from './extent'

/** A plot that is narrower, in pixels, has a line for each workflow. */
const NARROW = 480

/** Until a browser has measured it: an estimate for text of 13 px. */
const GUESS: Room & { stacked: boolean } = { width: 1000, measure: (text) => text.length * 7.5, stacked: false }

/** `plot` has a child `.ib-axis-inner`, as wide as the time axis. */
export function useRoom(plot: RefObject<HTMLElement>): Room & { stacked: boolean } {
  const [room, setRoom] = useState(GUESS)
  useLayoutEffect(() => {
    const element = plot.current
    const axis = element?.querySelector<HTMLElement>('.ib-axis-inner')
    if (!element || !axis) return
    const measure = measureIn(element)
    const take = () => setRoom({ width: axis.clientWidth, measure, stacked: element.clientWidth < NARROW })
    take()
    const observer = new ResizeObserver(take)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return room
}

function measureIn(element: HTMLElement): Room['measure'] {
  const canvas = document.createElement('canvas').getContext('2d')
  if (!canvas) return GUESS.measure
  canvas.font = `500 13px ${getComputedStyle(element).fontFamily}`
  const known = new Map<string, number>()
  return (text) => {
    const width = known.get(text) ?? Math.ceil(canvas.measureText(text).width)
    known.set(text, width)
    return width
  }
}
