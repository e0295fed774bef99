exec yes "All work and no play makes Jack a dull boy"
