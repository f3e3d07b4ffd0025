// Which image and which workflow belong to the task instance whose tab is open.
import type { Build, TaskRef } from '../api'

export interface Shown {
  taskId: string | undefined
  /** Undefined where Airflow shows all instances of a mapped task. */
  mapIndex: number | undefined
}

export function shownTask(taskId: string | undefined, mapIndex: string | undefined): Shown {
  const index = mapIndex === undefined || mapIndex === '' ? NaN : Number(mapIndex)
  return { taskId, mapIndex: Number.isInteger(index) ? index : undefined }
}

export function isShown(task: TaskRef | null, { taskId, mapIndex }: Shown): boolean {
  if (!task || !taskId || task.task_id !== taskId) return false
  return mapIndex === undefined || mapIndex === task.map_index
}

/** Whether the task is that of the image, or monitors one of its workflows. */
export function concerns(build: Build, shown: Shown): boolean {
  return isShown(build.task, shown) || build.workflows.some((workflow) => isShown(workflow.task, shown))
}

/** The images in the order of the page: in the tab of a task, its own come first. */
export function shownFirst(images: readonly Build[], shown: Shown): Build[] {
  const rank = (image: Build) => (concerns(image, shown) ? 0 : 1)
  return [...images].sort((a, b) => rank(a) - rank(b))
}

/** In the tab of a task its own images are open; of many images of a run, those that a reader came for. */
export function opensAtFirst(build: Build, images: readonly Build[], shown: Shown): boolean {
  if (images.some((image) => concerns(image, shown))) return concerns(build, shown)
  if (images.length <= 3) return true
  return !build.ended || build.failure !== null
}
