"""Tests of runner/agent/compose."""
