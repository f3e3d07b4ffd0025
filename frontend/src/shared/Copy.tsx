// A button that copies a text. navigator.clipboard is missing on plain http, where Airflow is often served.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from './Icon'

const SHOWN_MS = 2000

export interface CopyProps {
  text: string
  /** What is copied, as the button's name reads it: "Copy <of>". */
  of: string
  /** Show the name beside the icon. */
  labelled?: boolean
}

export function Copy({ text, of, labelled }: CopyProps) {
  const [said, say] = useState('')
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (!said) return
    const timer = setTimeout(() => say(''), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [said])
  const copied = said === 'Copied'
  return (
    <span class="ib-copying">
      <button
        type="button"
        ref={button}
        class={labelled ? 'ib-button' : 'ib-copy'}
        aria-label={labelled ? undefined : `Copy ${of}`}
        title={labelled ? undefined : `Copy ${of}`}
        onClick={async () => say((await copy(text, button.current)) ? 'Copied' : 'Not copied: the browser does not allow it')}
      >
        <Icon name={copied ? 'done' : 'copy'} />
        {labelled && `Copy ${of}`}
      </button>
      <span role="status" class={said && !copied ? 'ib-text' : 'ib-hidden'}>
        {said}
      </span>
    </span>
  )
}

/** An id with its button, which stays beside it where the id takes several lines. */
export function Copied({ text, of }: Omit<CopyProps, 'labelled'>) {
  return (
    <span class="ib-copied">
      <code class="ib-text">{text}</code>
      <Copy text={text} of={of} />
    </span>
  )
}

async function copy(text: string, beside: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return beside ? copyBySelection(text, beside) : false
  }
}

function copyBySelection(text: string, beside: HTMLElement): boolean {
  const area = document.createElement('textarea')
  area.className = 'ib-hidden'
  area.value = text
  beside.after(area) // in a dialog, nothing outside of it can be selected
  area.select()
  try {
    return document.execCommand('copy')
  } catch {
    return false
  } finally {
    area.remove()
    beside.focus()
  }
}
