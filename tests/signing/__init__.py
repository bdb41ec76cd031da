"""Tests of what signs requests with AWS keys."""
