DROP TRIGGER documents_bridge ON public.documents;
DROP FUNCTION public.documents_bridge();
