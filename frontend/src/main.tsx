// The entry point: gives Airflow's UI its components, and fills the page that is served without Airflow's frame.
import './theme.css'
import { render } from 'preact'
import { hosted } from './host'
import { ImagesPage } from './images/ImagesPage'
import { standalone } from './navigation'
import { RunPage } from './run/RunPage'
import { followTheme } from './shared/theme'

// Airflow finds the component of a React app by the app's name: ui/plugin.py has the same names.
hosted('Image build', (place, navigation) => (
  <RunPage
    dagId={place.dagId ?? ''}
    runId={place.runId ?? ''}
    taskId={place.taskId}
    mapIndex={place.mapIndex}
    navigation={navigation}
  />
))
hosted('Images', (_, navigation) => <ImagesPage navigation={navigation} />)

const page = document.getElementById('imagebuilder-page')
if (page) {
  followTheme()
  const { dagId, runId, taskId, mapIndex } = page.dataset
  const navigation = standalone()
  render(
    dagId && runId ? (
      <RunPage dagId={dagId} runId={runId} taskId={taskId} mapIndex={mapIndex} navigation={navigation} />
    ) : (
      <ImagesPage navigation={navigation} />
    ),
    page,
  )
}
