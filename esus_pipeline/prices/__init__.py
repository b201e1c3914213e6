"""What electricity costs: day-ahead prices of Energi Data Service, and what is known of them at an instant."""

from esus_pipeline.prices.energi_data_service import PUBLIC_URL, EnergiDataService
from esus_pipeline.prices.known import known_prices, stored_prices
from esus_pipeline.prices.obtain import Obtained, obtain

__all__ = ["PUBLIC_URL", "EnergiDataService", "Obtained", "known_prices", "obtain", "stored_prices"]
