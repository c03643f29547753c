select day
from {{ days('2010-01-01', '2039-12-31') }}
