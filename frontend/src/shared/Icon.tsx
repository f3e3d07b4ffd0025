// Icons, 16 by 16. They are beside a text that says the same, so a screen reader skips them.

const PATHS = {
  success: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5L7.2 10.8 4.4 8.2l1-1.1 1.7 1.6L10.5 5l1.1 1Z',
  failed: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.2 9.1-1.1 1.1L8 9.1l-2.1 2.1-1.1-1.1L6.9 8 4.8 5.9l1.1-1.1L8 6.9l2.1-2.1 1.1 1.1L9.1 8l2.1 2.1Z',
  running: 'M8 1a7 7 0 1 0 7 7h-1.6A5.4 5.4 0 1 1 8 2.6V1Z',
  pending: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6Zm-.8 2v4l3 1.8.8-1.2-2.2-1.4V4.6H7.2Z',
  skipped: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5 5l3 3-3 3V5Zm3.5 0 3 3-3 3V5Z',
  cancelled: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4.5 7.2h7v1.6h-7V7.2Z',
  warning: 'M8 1.2 15.3 14H.7L8 1.2ZM7.2 6v4h1.6V6H7.2Zm0 5v1.6h1.6V11H7.2Z',
  copy: 'M5 1h8a1 1 0 0 1 1 1v9h-1.5V2.5H5V1ZM3 4h7a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Zm.5 1.5v8h6v-8h-6Z',
  done: 'M13.5 3.5 6.3 12 2.5 8.4l1.1-1.2L6.2 9.7l6.1-7.2 1.2 1Z',
  outside: 'M3 3h4v1.5H4.5v7h7V9H13v4H3V3Zm6 0h4v4h-1.5V5.6L8 9.1 6.9 8l3.5-3.5H9V3Z',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="ib-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  )
}
