"""Stored stories, the job queue and its scheduler, webhooks, credits, metrics."""
