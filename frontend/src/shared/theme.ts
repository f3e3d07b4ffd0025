// The page without Airflow's frame is light or dark as Airflow's UI is: its choice is in localStorage, under "theme".

const DARK = '(prefers-color-scheme: dark)'

/** Follow the choice of Airflow's UI; where there is none, that of the system. */
export function followTheme(): void {
  const apply = () => document.documentElement.classList.toggle('dark', isDark(chosen()))
  apply()
  matchMedia(DARK).addEventListener('change', apply)
  addEventListener('storage', apply)
}

function isDark(theme: string | null): boolean {
  if (theme === 'dark' || theme === 'light') return theme === 'dark'
  return matchMedia(DARK).matches
}

function chosen(): string | null {
  return stored('theme')
}

/** What Airflow's UI keeps under a key, or null: a browser may forbid to read it. */
export function stored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}
