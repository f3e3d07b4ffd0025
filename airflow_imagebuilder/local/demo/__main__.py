"""``python -m airflow_imagebuilder.local.demo``: bake a golden image with a real Airflow on this machine."""

import sys

from airflow_imagebuilder.local.demo.local import main

sys.exit(main())
