"""What is made by the clock: exports, the figures of each day, weekly reports, and the clean-up."""
