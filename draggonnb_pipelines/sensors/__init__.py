"""The sensors: each says in its name what it watches. One cheap query a tick; the rows' state is the only memory."""
