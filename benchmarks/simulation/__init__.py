"""Simulation of the service from measured service times, and the arithmetic of many machines."""
