"""What happens between the calls: builds, tests, distribution."""
